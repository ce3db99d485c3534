"""What can be asked, one module for each part of the answer."""
