// Takes the secret out of a link's address before the router starts.
import './link-secrets.svelte';
