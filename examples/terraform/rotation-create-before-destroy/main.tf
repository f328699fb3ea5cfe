# Rotation without downtime, with one token and one free slot.
#
# Fourteen days before the token expires, a plan replaces it. The new token is created first, then
# everything that depends on it is updated, then the old one is revoked. For the time in between the
# user has two tokens, so no other may exist: the user's limit is two.
#
# Run terraform apply at least once in the last fourteen days, for example by a nightly pipeline.

terraform {
  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
  }
}

resource "crusoe_storage_token" "ci" {
  alias         = "ci-uploads"
  expires_after = "90d"
  renew_before  = "14d"

  lifecycle {
    create_before_destroy = true
  }
}

# Stands for whatever uses the token: a secret of a cluster, an entry in a vault, a file.
resource "terraform_data" "consumer" {
  input = {
    access_key_id = crusoe_storage_token.ci.access_key_id
    secret_key    = crusoe_storage_token.ci.secret_key
  }
}

output "expires_at" {
  description = "When the token expires, unless it is replaced before."
  value       = crusoe_storage_token.ci.expires_at
}
