"""What ``import bench`` offers: evaluate, look at results, corrupt, attack and attribute, without a configuration."""
