resource "crusoe_storage_token" "laptop" {
  alias = "laptop"
}

output "credentials_file" {
  value = provider::crusoe::credentials_file(
    crusoe_storage_token.laptop.access_key_id,
    crusoe_storage_token.laptop.secret_key,
    "default",
  )
  sensitive = true
}
