# A token for each service, each of a user of its own: every user has two slots.
resource "crusoe_storage_token" "service" {
  for_each = var.services

  profile       = each.key
  alias         = each.key
  expires_after = "90d"
  renew_before  = "14d"
}

# How many slots each user has left; a token that is replaced without a gap needs one.
data "crusoe_storage_tokens" "service" {
  for_each = var.services

  profile = each.key
  mine    = true

  depends_on = [crusoe_storage_token.service]
}
