# By token ID or access key ID, in the provider's organization or in another one.
terraform import crusoe_storage_token.ci f5705300-79f8-4686-9b9f-02496a053bc0
terraform import crusoe_storage_token.ci ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab/CKIA493K6LOVDNNAR4SZ

# With the credentials of a profile.
terraform import crusoe_storage_token.ci f5705300-79f8-4686-9b9f-02496a053bc0@ci

# Crusoe shows a secret only once, so the import has to be given it, if you have it.
CRUSOE_STORAGE_TOKEN_SECRET="$(cat secret.txt)" terraform import crusoe_storage_token.ci CKIA493K6LOVDNNAR4SZ
