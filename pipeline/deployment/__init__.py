"""What `docker-compose.yml` needs beside Airflow and the pipeline."""
