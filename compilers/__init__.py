"""From a float graph to a program for the chip."""
