variable "file" {
  description = "The file to upload."
  type        = string
}

ephemeral "crusoe_storage_token" "upload" {
  alias         = "upload"
  expires_after = "15m"
}

# Uploads the file whenever it changes.
resource "terraform_data" "upload" {
  triggers_replace = filesha256(var.file)

  provisioner "local-exec" {
    command = "aws s3 cp \"$FILE\" s3://reports/ --endpoint-url https://object.us-east1-a.crusoecloudcompute.com"
    environment = {
      FILE                  = var.file
      AWS_ACCESS_KEY_ID     = ephemeral.crusoe_storage_token.upload.access_key_id
      AWS_SECRET_ACCESS_KEY = ephemeral.crusoe_storage_token.upload.secret_key
    }
  }
}
