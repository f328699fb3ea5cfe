# A rotating token whose secrets are in no state and no plan, handed to a Kubernetes cluster. Each
# rotation decrypts the new secret and updates the cluster in the same apply; pods that have read the
# key before go on with it until the next rotation.
#
#   age-keygen -o identity.txt      # keep this file, or its content in a secret store
#   export TF_VAR_age_identity="$(cat identity.txt)"
#   terraform apply -var "recipients=[\"$(age-keygen -y identity.txt)\"]"

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

variable "recipients" {
  type        = list(string)
  description = "Public keys: age recipients (age1…), or SSH keys of the type ssh-ed25519 or ssh-rsa."
}

variable "age_identity" {
  type        = string
  ephemeral   = true
  description = "The private key of one of them: AGE-SECRET-KEY-1…, or an OpenSSH private key."
}

resource "crusoe_storage_rotating_token" "app" {
  alias         = "app"
  rotate_after  = "30d"
  expires_after = "90d"
  encrypt_to    = var.recipients
}

resource "kubernetes_secret_v1" "object_storage" {
  metadata {
    name      = "object-storage"
    namespace = "app"
  }

  # Write-only: what is decrypted goes to the cluster and nowhere else. The generation says when there
  # is a new key.
  data_wo = {
    AWS_ACCESS_KEY_ID = crusoe_storage_rotating_token.app.access_key_id
    AWS_SECRET_ACCESS_KEY = provider::crusoe::decrypt(
      crusoe_storage_rotating_token.app.encrypted_secret_key, var.age_identity
    )
  }
  data_wo_revision = crusoe_storage_rotating_token.app.generation
}
