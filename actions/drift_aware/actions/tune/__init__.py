"""Fine-tuning: training data from what people liked, a new model, an exam for it, and its deployment."""
