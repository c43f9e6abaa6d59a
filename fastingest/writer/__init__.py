"""The writer process: batches → frames → the CSV file."""
