variable "alias" {
  description = "Name of the token, to tell it from others in lists."
  type        = string
  default     = "quickstart"
}

variable "expires_at" {
  description = "When the token expires, such as 2027-01-31T12:00:00Z. Null for never."
  type        = string
  default     = null
}
