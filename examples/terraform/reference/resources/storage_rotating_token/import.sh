# By token ID or access key ID of the current key; the previous one, if there is one, behind a comma.
terraform import crusoe_storage_rotating_token.ci f5705300-79f8-4686-9b9f-02496a053bc0
terraform import crusoe_storage_rotating_token.ci CKIA493K6LOVDNNAR4SZ,CKIAXGFV74Z2FFURA9UA

# In another organization than the provider's.
terraform import crusoe_storage_rotating_token.ci ab4a6b00-aa5f-408e-a9fb-ac6de5eb45ab/CKIA493K6LOVDNNAR4SZ

# Crusoe shows a secret only once, so the import has to be given that of the current key.
CRUSOE_STORAGE_TOKEN_SECRET="$(cat secret.txt)" terraform import crusoe_storage_rotating_token.ci CKIA493K6LOVDNNAR4SZ
