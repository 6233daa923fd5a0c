"""What the gradient of one batch costs by every method, beside a jitted rival and beside the machine's bound."""
