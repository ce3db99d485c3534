"""What follows from an alert: proposed by a policy, kept in a ledger, published for all to see."""
