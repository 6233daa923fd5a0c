"""What somebody else's run of the same model gave, held against ours: a framework's own output, or a chip's integers.

recording    what a file or a table holds, by layer
against      bins that differ, layer by layer: the float law, and apart from it the integers
search       which dialects a framework's output is consistent with
"""
