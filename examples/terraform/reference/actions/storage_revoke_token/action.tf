variable "leaked_access_key_id" {
  description = "Access key ID of the token to revoke."
  type        = string
}

# terraform apply -invoke=action.crusoe_storage_revoke_token.leaked \
#   -var=leaked_access_key_id=CKIA493K6LOVDNNAR4SZ
action "crusoe_storage_revoke_token" "leaked" {
  config {
    access_key_id = var.leaked_access_key_id
  }
}
