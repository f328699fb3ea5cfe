# An API key for Crusoe Cloud Object Storage. A change of either argument replaces it.
resource "crusoe_storage_token" "quickstart" {
  alias      = var.alias
  expires_at = var.expires_at
}

# All tokens of the organization, the new one included. Secrets are never part of it.
data "crusoe_storage_tokens" "all" {
  depends_on = [crusoe_storage_token.quickstart]
}
