// Before the router starts.
import './link-secrets.svelte';
