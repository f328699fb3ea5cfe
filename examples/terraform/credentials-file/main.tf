# Writes a token into a file of its own in the form of ~/.aws/credentials, readable by its owner only.
# Use it with AWS_SHARED_CREDENTIALS_FILE.

terraform {
  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
    local = {
      source = "hashicorp/local"
    }
  }
}

resource "crusoe_storage_token" "laptop" {
  alias         = "laptop"
  expires_after = "30d"
  renew_before  = "7d"
}

resource "local_sensitive_file" "credentials" {
  filename        = "${path.root}/crusoe-credentials"
  file_permission = "0600"
  content         = <<-EOT
    [crusoe]
    aws_access_key_id = ${crusoe_storage_token.laptop.access_key_id}
    aws_secret_access_key = ${crusoe_storage_token.laptop.secret_key}
  EOT
}
