"""The trace process in integers: fixed-point RTRL traces beside a block that learns."""
