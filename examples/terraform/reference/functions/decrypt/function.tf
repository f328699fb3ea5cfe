variable "age_identity" {
  type      = string
  ephemeral = true
}

resource "crusoe_storage_token" "ci" {
  alias      = "ci-uploads"
  encrypt_to = ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]
}

# The secret is there while the apply runs, and nowhere afterwards.
resource "terraform_data" "handed_on" {
  triggers_replace = crusoe_storage_token.ci.access_key_id

  provisioner "local-exec" {
    command = "gh secret set AWS_SECRET_ACCESS_KEY --body \"$SECRET_KEY\""

    environment = {
      SECRET_KEY = provider::crusoe::decrypt(
        crusoe_storage_token.ci.encrypted_secret_key, var.age_identity
      )
    }
  }
}
