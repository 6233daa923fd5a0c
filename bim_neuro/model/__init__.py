"""The PyTorch reference: block, network, the model.pt format, and the way out of PyTorch."""
