output "access_key_id" {
  description = "What S3 clients call the access key."
  value       = crusoe_storage_token.quickstart.access_key_id
}

# Terraform does not print it unless asked to: terraform output -raw secret_key
output "secret_key" {
  description = "What S3 clients call the secret key."
  value       = crusoe_storage_token.quickstart.secret_key
  sensitive   = true
}

output "tokens" {
  description = "Access key IDs and aliases of all tokens of the organization."
  value       = { for token in data.crusoe_storage_tokens.all.tokens : token.access_key_id => token.alias }
}
