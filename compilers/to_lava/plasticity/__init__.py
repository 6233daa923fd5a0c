"""Learning on Lava: circuits and trace processes built, played and compared with ours."""
