// The user's own preload: must still run, and run with the user's NODE_OPTIONS in sight.
globalThis.ownPreload = 'ran';
