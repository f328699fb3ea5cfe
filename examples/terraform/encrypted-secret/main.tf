# A token whose secret is in no state and no plan. The state holds it encrypted; while an apply runs it
# is decrypted and handed to a command, which puts it where it is needed.
#
#   age-keygen -o identity.txt      # keep this file, or its content in a secret store
#   export TF_VAR_age_identity="$(cat identity.txt)"
#   terraform apply -var "recipients=[\"$(age-keygen -y identity.txt)\"]"

terraform {
  required_version = ">= 1.10"

  required_providers {
    crusoe = {
      source = "crusoe-community/crusoe"
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

variable "command" {
  type        = string
  description = "What takes the secret, from its environment."
  # Not as an argument: those of a process are for every user of the machine to see.
  default = "printf %s \"$SECRET_KEY\" | gh secret set AWS_SECRET_ACCESS_KEY"
}

resource "crusoe_storage_token" "ci" {
  alias      = "ci-uploads"
  encrypt_to = var.recipients
}

resource "terraform_data" "handed_on" {
  triggers_replace = crusoe_storage_token.ci.access_key_id

  provisioner "local-exec" {
    command = var.command

    environment = {
      SECRET_KEY = provider::crusoe::decrypt(
        crusoe_storage_token.ci.encrypted_secret_key, var.age_identity
      )
    }
  }
}

output "access_key_id" {
  value = crusoe_storage_token.ci.access_key_id
}

# For those who have a private key: terraform output -raw encrypted_secret_key | age -d -i identity.txt
output "encrypted_secret_key" {
  value = crusoe_storage_token.ci.encrypted_secret_key
}
