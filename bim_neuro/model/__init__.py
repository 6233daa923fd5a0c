"""The PyTorch reference: block, network, the model.pt format, and the export to a float graph."""
