variable "users" {
  description = "The users, each by the name of a profile in ~/.crusoe/config."
  type        = set(string)
  default     = ["backups", "ci"]
}

# A token is revoked by the provider block that made it, which therefore has to outlive it: name the
# user here, apply, and take the name out of both lists.
variable "leaving" {
  description = "Users whose token is to be revoked."
  type        = set(string)
  default     = []
}
