# Hands a rotating token to a Kubernetes cluster. Each rotation updates the secret in the same apply;
# pods that have read the key before go on with it until the next rotation.

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

resource "crusoe_storage_rotating_token" "app" {
  alias         = "app"
  rotate_after  = "30d"
  expires_after = "90d"
}

resource "kubernetes_secret_v1" "object_storage" {
  metadata {
    name      = "object-storage"
    namespace = "app"
  }

  # Write-only: the secret is not stored a second time in the state. The generation says when there
  # is a new one.
  data_wo = {
    AWS_ACCESS_KEY_ID     = crusoe_storage_rotating_token.app.access_key_id
    AWS_SECRET_ACCESS_KEY = crusoe_storage_rotating_token.app.secret_key
  }
  data_wo_revision = crusoe_storage_rotating_token.app.generation
}
