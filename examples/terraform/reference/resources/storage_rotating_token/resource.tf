# Any plan rotates once the current key is 30 days old. The key before it stays valid for 30 days
# more, for those who are slow; without an apply both expire by themselves after 90 days.
resource "crusoe_storage_rotating_token" "ci" {
  alias         = "ci-uploads"
  rotate_after  = "30d"
  expires_after = "90d"
}

output "access_key_id" {
  value = crusoe_storage_rotating_token.ci.access_key_id
}

output "secret_key" {
  value     = crusoe_storage_rotating_token.ci.secret_key
  sensitive = true
}
