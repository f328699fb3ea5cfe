output "access_key_ids" {
  description = "What S3 clients call the access key, by service."
  value       = { for service, token in crusoe_storage_token.service : service => token.access_key_id }
}

# Terraform does not print it unless asked to: terraform output -json secret_keys
output "secret_keys" {
  description = "What S3 clients call the secret key, by service."
  value       = { for service, token in crusoe_storage_token.service : service => token.secret_key }
  sensitive   = true
}

output "free_slots" {
  description = "How many more tokens the user of each service may have."
  value       = { for service, tokens in data.crusoe_storage_tokens.service : service => tokens.keys_available }
}
