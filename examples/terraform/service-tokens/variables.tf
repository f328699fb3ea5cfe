variable "services" {
  description = "The services. Each is a profile: an entry of crusoe_profiles, or of ~/.crusoe/config."
  type        = set(string)
  default     = ["backups", "ci", "training"]
}

# From the environment: TF_VAR_crusoe_profiles='{"ci": {"access_key_id": "…", "secret_key": "…"}, …}'
variable "crusoe_profiles" {
  description = "Credentials of the services' users, by service. Null to use ~/.crusoe/config alone."
  type        = map(object({ access_key_id = string, secret_key = string }))
  default     = null
  ephemeral   = true
  sensitive   = true
}
