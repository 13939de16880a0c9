"""So that `python3 -m sglang.launch_server` is a command of the image."""
