"""The provider server: it serves a `tf` provider to Terraform over the plugin protocol."""
