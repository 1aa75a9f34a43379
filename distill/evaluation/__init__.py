"""What a bundle is worth, measured on held-out frames through the cart's own pipeline."""
