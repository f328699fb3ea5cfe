# Hands a token to a Kubernetes cluster. create_before_destroy updates the secret before the old token
# is revoked; pods that read it from the environment have to be restarted to notice.

terraform {
  required_version = ">= 1.11"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.36"
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

resource "kubernetes_secret_v1" "object_storage" {
  metadata {
    name      = "object-storage"
    namespace = "app"
  }

  # Write-only: the secret is not stored a second time in the state. A new token is a new revision.
  data_wo = {
    AWS_ACCESS_KEY_ID     = crusoe_storage_token.app.access_key_id
    AWS_SECRET_ACCESS_KEY = crusoe_storage_token.app.secret_key
  }
  data_wo_revision = parseint(substr(sha256(crusoe_storage_token.app.access_key_id), 0, 7), 16)
}
