"""A Terraform provider for Crusoe Cloud Object Storage API keys."""
