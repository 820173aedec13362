"""The chat API in front of a model, with better answers, a bill, and limits that hold."""
