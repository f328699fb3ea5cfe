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
    # Not as an argument: those of a process are for every user of the machine to see.
    command = "printf %s \"$SECRET_KEY\" | gh secret set AWS_SECRET_ACCESS_KEY"

    environment = {
      SECRET_KEY = provider::crusoe::decrypt(
        crusoe_storage_token.ci.encrypted_secret_key, var.age_identity
      )
    }
  }
}
