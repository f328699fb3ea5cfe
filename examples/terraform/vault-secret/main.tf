# Hands a token to Vault, from where applications read it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
    vault = {
      source  = "hashicorp/vault"
      version = ">= 5.0"
    }
  }
}

resource "crusoe_storage_token" "app" {
  alias         = "app"
  expires_after = "90d"
  renew_before  = "14d"

  lifecycle {
    create_before_destroy = true
  }
}

resource "vault_kv_secret_v2" "object_storage" {
  mount = "secret"
  name  = "app/object-storage"

  # Write-only: the secret is not stored a second time in the state. A new token is a new version.
  data_json_wo = jsonencode({
    access_key_id = crusoe_storage_token.app.access_key_id
    secret_key    = crusoe_storage_token.app.secret_key
  })
  data_json_wo_version = parseint(substr(sha256(crusoe_storage_token.app.access_key_id), 0, 7), 16)
}
