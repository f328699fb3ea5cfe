# A token for each user, made and revoked with the user's own credentials.
resource "crusoe_storage_token" "user" {
  for_each = setsubtract(var.users, var.leaving)
  provider = crusoe.user[each.key]

  alias         = each.key
  expires_after = "90d"
  renew_before  = "14d"
}

output "access_key_ids" {
  description = "What S3 clients call the access key, by user."
  value       = { for user, token in crusoe_storage_token.user : user => token.access_key_id }
}
