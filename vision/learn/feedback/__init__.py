"""What reviewers decided becomes pictures and labels, and a model's short fine-tune on them."""
