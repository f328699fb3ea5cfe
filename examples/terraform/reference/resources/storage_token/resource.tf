# Lives 90 days, and is replaced by the first apply of its last 14. The new token comes first, which
# needs a free slot; without create_before_destroy the old one goes first.
resource "crusoe_storage_token" "ci" {
  alias         = "ci-uploads"
  expires_after = "90d"
  renew_before  = "14d"

  lifecycle {
    create_before_destroy = true
  }
}

output "access_key_id" {
  value = crusoe_storage_token.ci.access_key_id
}

output "secret_key" {
  value     = crusoe_storage_token.ci.secret_key
  sensitive = true
}
