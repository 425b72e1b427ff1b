"""The customer's page, its widget, and the protocol between them."""
