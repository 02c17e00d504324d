"""What PyTorch computes, written down: the .npz files, and the script that made them."""
