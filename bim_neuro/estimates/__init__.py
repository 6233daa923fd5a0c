"""Estimates: time and energy of a counted run, each as low, likely and high, and the placements chosen by them."""
