"""What follows from an alert: proposed by a policy, kept in a ledger, carried out once, published for all."""
