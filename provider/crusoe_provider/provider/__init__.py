"""What Terraform sees: the provider, its resource and its data sources, one file each."""
