"""Ground floor: artifacts, the ledger of events, what the machine can do, errors. Imports no other room."""
