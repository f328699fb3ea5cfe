# In a file whose name ends with .tfquery.hcl, for terraform query.
list "crusoe_storage_token" "enabled" {
  provider = crusoe

  config {
    status = "enabled"
  }
}
