"""The Crusoe Cloud API: configuration, signing, client, errors. Knows nothing of Terraform."""
