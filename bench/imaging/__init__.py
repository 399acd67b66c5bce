"""JPEG and resampling with the bytes of libjpeg and Pillow, on any device."""
